export * from './onnx-graph.js'
export { fieldsOf } from './protobuf.js'
