/** Traces that leave the process over OTLP. */
export interface Tracing {
  /** Sends what is left. */
  stop(): Promise<void>
}

/**
 * Starts to record traces and to send them to the OTLP receiver of `OTEL_EXPORTER_OTLP_ENDPOINT`; the other `OTEL_…` variables (headers,
 * sampler, batches) count too. The SDK is loaded only here: a process without the variable never loads it.
 *
 * @param service the role or roles of the process
 * @returns undefined when the variable is not set
 */
export async function startTracing(
  endpoint: string | undefined,
  service: string,
): Promise<Tracing | undefined> {
  if (endpoint === undefined) return undefined
  const [{ BatchSpanProcessor, NodeTracerProvider }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ])
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `endcap/${service}` }),
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` })),
    ],
  })
  provider.register()
  return { stop: () => provider.shutdown() }
}
