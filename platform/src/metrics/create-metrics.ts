import {
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client'

/** A registry with Node's own metrics (memory, event loop, garbage collection); every series carries `service`. */
export function createMetrics({ service }: { readonly service: string }): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  return registry
}

type Named<C> = Omit<C, 'registers'>

/** The counter of this name, made on first use: services that share a process share a registry. */
export const counterOf = <L extends string>(
  registry: Registry,
  options: Named<CounterConfiguration<L>>,
): Counter<L> =>
  (registry.getSingleMetric(options.name) as Counter<L> | undefined) ??
  new Counter({ ...options, registers: [registry] })

/** The gauge of this name, made on first use. */
export const gaugeOf = <L extends string>(
  registry: Registry,
  options: Named<GaugeConfiguration<L>>,
): Gauge<L> =>
  (registry.getSingleMetric(options.name) as Gauge<L> | undefined) ??
  new Gauge({ ...options, registers: [registry] })

/** The histogram of this name, made on first use. */
export const histogramOf = <L extends string>(
  registry: Registry,
  options: Named<HistogramConfiguration<L>>,
): Histogram<L> =>
  (registry.getSingleMetric(options.name) as Histogram<L> | undefined) ??
  new Histogram({ ...options, registers: [registry] })

/** Seconds from the request's first byte to the answer's last, by route pattern: never by address, which has no bound. */
export const httpDurationOf = (registry: Registry): Histogram<'method' | 'route' | 'status'> =>
  histogramOf(registry, {
    name: 'endcap_http_request_duration_seconds',
    help: 'Duration of HTTP requests by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  })
