export { attributeRange, CLICK_WINDOW_DAYS, VIEW_WINDOW_DAYS } from './attribute-range.js'
export {
  type AttributionDeps,
  type AttributionRange,
  attributeStored,
  createAttribution,
} from './attribution.js'
