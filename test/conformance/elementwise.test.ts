import { conform } from "./conform.ts";
import { isElementwise, specsWhere } from "./specs/index.ts";

conform(specsWhere(isElementwise));
