// Programs: graph + weights → something that runs.
// Takes graph outputs and weights, gives `Program`s. Never: knows tasks. The backends themselves are behind the doors.
export type { Backend, CompileOptions, DeviceTensor, Feeds, Outputs, Program, Targets } from "./backend.ts";
export { HostTensor } from "./host-tensor.ts";
export { profileBySite, type SiteTime } from "./profile.ts";
export { type Ort, openProgram, prepare } from "./program.ts";
