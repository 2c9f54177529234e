export type { Counter, Gauge, Histogram, Registry } from 'prom-client'
export { counterOf, createMetrics, gaugeOf, histogramOf, httpDurationOf } from './create-metrics.js'
export { createMetricsServer, type MetricsServer } from './metrics-server.js'
