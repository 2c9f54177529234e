import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { App } from './app.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request's work runs in, when it is traced. */
    traceContext?: Context
  }
}

/** Gives each request a span, below the one that its `traceparent` header names. Probes have none. */
export function traceRequests(app: App): void {
  const tracer = trace.getTracer('endcap')
  app.addHook('onRequest', (request, _reply, done) => {
    const { url, config } = request.routeOptions
    if (config.unlimited && !url?.startsWith('/t/')) return done()
    const span = tracer.startSpan(
      `${request.method} ${url ?? 'none'}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          'http.request.method': request.method,
          'http.route': url ?? '',
          'endcap.request_id': request.id,
        },
      },
      propagation.extract(ROOT_CONTEXT, request.headers),
    )
    request.traceContext = trace.setSpan(ROOT_CONTEXT, span)
    context.with(request.traceContext, done)
  })
  // The body arrives in events of the socket, outside of the context.
  app.addHook('preHandler', (request, _reply, done) =>
    request.traceContext ? context.with(request.traceContext, done) : done(),
  )
  app.addHook('onResponse', (request, reply, done) => {
    const span = request.traceContext && trace.getSpan(request.traceContext)
    span?.setAttribute('http.response.status_code', reply.statusCode)
    if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR })
    span?.end()
    done()
  })
}
