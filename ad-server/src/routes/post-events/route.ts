import { eventsAnswer, eventsBody } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { acceptEvents, type EventsDeps } from './handler.js'

/** `POST /v1/events`: interactions that a shop's server reports. 202 means that they are durable. */
export function postEvents(app: App, deps: EventsDeps): void {
  app.post(
    '/v1/events',
    {
      config: { access: scopes('events'), itemwise: true },
      schema: {
        summary: 'Report impressions and clicks of shoppers',
        tags: ['tracking'],
        body: eventsBody,
        response: { 202: eventsAnswer },
      },
    },
    async (request, reply) =>
      reply.code(202).send(await acceptEvents(request.body.events, request.caller.keyId, deps)),
  )
}
