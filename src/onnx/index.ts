// Graphs as ONNX models.
// Takes a graph's outputs, gives bytes and what they refer to. Never: knows ONNX Runtime's API, trainables' meaning, or tasks.
export { type AttributeValue, MICROSOFT } from "./builder.ts";
export {
  type EmitOptions,
  type EmittedModel,
  type ExternalWeight,
  emit,
  externalWeights,
  type Placement,
} from "./emit.ts";
export {
  type ModelPart,
  modelParts,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  readModel,
  writeModel,
} from "./model.ts";
