// Programs: graph + weights → something that runs.
// Takes graph outputs and weights, gives `Program`s. Never: knows tasks. The backends themselves are behind the doors.
export {
  type Backend,
  type CompileOptions,
  type DeviceTensor,
  type Feeds,
  isProcessor,
  type Outputs,
  type Program,
  type Targets,
} from "./backend.ts";
export { HostTensor } from "./host-tensor.ts";
export { profileBySite, type SiteTime } from "./profile.ts";
export { type Ort, openProgram, prepare } from "./program.ts";
