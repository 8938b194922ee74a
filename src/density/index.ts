// Activation density: the loss that lowers it and the instrument that measures it.
// Takes activation taps, gives a loss value or a report. Never: decides the task loss.
export {
  type AddedTap,
  addedByMlps,
  addedSum,
  centreName,
  gateName,
  gateOf,
  isGate,
  meanGate,
  mlpGates,
  squaredSensitivity,
} from "./gates.ts";
export { activeSurrogate, type DensityLossOptions, densityLoss } from "./loss.ts";
export { activeShare, DensityMeter, densityCounts, type TapShape, tapShapes } from "./measure.ts";
export {
  type Density,
  type DensityReport,
  densityBy,
  densityDefinitions,
  headlineDefinition,
  headlineDensity,
  type LayerDensity,
  NEAR_ZERO_DEFINITION,
  type StackName,
  THRESHOLDS,
} from "./report.ts";
export {
  activationTap,
  attendedPositions,
  numVirtualTokens,
  type StackMasks,
  sumOfSquares,
  sumOver,
  type Tap,
} from "./tap.ts";
