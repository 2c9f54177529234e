export type { Registry } from 'prom-client'
export { counterOf, createMetrics, gaugeOf, histogramOf } from './create-metrics.js'
export { createMetricsServer } from './metrics-server.js'
