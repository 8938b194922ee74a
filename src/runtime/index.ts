// Programs: graph + weights → something that runs.
// Takes graph outputs and weights, gives `Program`s. Never: knows tasks. The backends themselves are behind the doors.
export type { Backend, CompileOptions, Feeds, Outputs, Program } from "./backend.ts";
export { profileBySite, type SiteTime } from "./profile.ts";
export { type Ort, openProgram, prepare } from "./program.ts";
