// Graphs that are shipped: an encoder or a text-to-text model as ONNX Runtime and Transformers.js load it.
// Takes a model and weights, gives graphs and estimates of their cost. Never: runs a program, writes a file.
export { INPUT_NAMES, type InferenceModel, inferenceGraph } from "./encoder-graph.ts";
export { type Arithmetic, arithmeticOf, textArithmetic } from "./energy.ts";
export { deploy, deployEncoder, deployedProgram, deployGraph, openable, type Precision } from "./optimize.ts";
export { textDecoderGraph, textEncoderGraph } from "./seq2seq-graph.ts";
