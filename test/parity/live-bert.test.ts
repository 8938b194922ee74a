import { liveParity } from "./live.ts";

liveParity("bert", 85);
