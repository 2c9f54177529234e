export { attributeRange } from './attribute-range.js'
export {
  attributeStored,
  createAttribution,
} from './attribution.js'
