export { attributeRange, CLICK_WINDOW_DAYS, VIEW_WINDOW_DAYS } from './attribute-range.js'
export { type AttributionDeps, createAttribution } from './attribution.js'
