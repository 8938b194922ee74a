import { liveParity } from "./live.ts";

liveParity("roberta", 60);
