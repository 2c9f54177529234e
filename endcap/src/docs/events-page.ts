import {
  auctionEvent,
  changeEvent,
  chargeEvent,
  clawbackEvent,
  impressionEvent,
  orderEvent,
  TOPICS,
  tickEvent,
  verdictsEvent,
} from '@endcap/contracts'
import { z } from 'zod'

interface JsonSchema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly prefixItems?: readonly JsonSchema[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly additionalProperties?: JsonSchema | boolean
}

/** Which events a topic holds, and what each one says. */
const EVENTS: Readonly<Record<string, readonly (readonly [z.ZodType, string])[]>> = {
  [TOPICS.auctions]: [[auctionEvent, 'One auction, with everything that decided it.']],
  [TOPICS.interactions]: [
    [impressionEvent, 'A slot was shown. `viewable`, `click` and `add_to_cart` have the same fields.'],
    [tickEvent, 'Time has passed in a partition. It has no data.'],
  ],
  [TOPICS.orders]: [[orderEvent, 'An order was placed.']],
  [TOPICS.charges]: [
    [chargeEvent, 'What billing decided about one billable interaction.'],
    [verdictsEvent, 'Valid interactions that cost nothing under their pricing, many in one event.'],
    [clawbackEvent, 'A charge was given back.'],
  ],
  [TOPICS.changes]: [
    [changeEvent, 'The whole state of one merchant, listing, campaign, key or the rules after a change.'],
  ],
}

/** docs/events.md: the events of the log, from their schemas. */
export function eventsMarkdown(): string {
  const topics = Object.entries(EVENTS).map(
    ([topic, events]) => `## \`${topic}\`\n\n${events.map(eventSection).join('\n\n')}`,
  )
  return `# Events

Every record of the log is one event in JSON. Readers keep fields that they don't know; fields are only ever added.

| field of the envelope | type | meaning |
| --- | --- | --- |
| \`id\` | string | The event's identity. Two records with the same id are the same event and count once everywhere. |
| \`type\` | string | As below. |
| \`schema\` | string | The version of the envelope. |
| \`occurredAt\` | string | When it happened by its source's clock. RFC 3339, UTC. |
| \`receivedAt\` | string | When Endcap accepted it. RFC 3339, UTC. |
| \`source\` | string | The service that wrote it. |
| \`key\` | string | Decides the partition: records of one key stay in order. |
| \`data\` | object | As below. |

Amounts are strings of whole micros (millionths of the currency unit). A \`traceparent\` header carries the trace that wrote the record.

${topics.join('\n\n')}`
}

function eventSection([schema, meaning]: readonly [z.ZodType, string]): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  const { type, data } = json.properties!
  const rows = [...fieldsOf(data!, '')].map(
    ([path, kind, description]) => `| \`${path}\` | ${kind} | ${description} |`,
  )
  const table =
    rows.length > 0
      ? `\n\n| field of \`data\` | type | meaning |\n| --- | --- | --- |\n${rows.join('\n')}`
      : ''
  return `### \`${type!.const}\`\n\n${meaning}${table}`
}

function* fieldsOf(schema: JsonSchema, prefix: string): Generator<readonly [string, string, string]> {
  const forms = schema.oneOf ?? [schema]
  const seen = new Set<string>()
  for (const form of forms) {
    for (const [name, field] of Object.entries(form.properties ?? {})) {
      if (seen.has(name)) continue
      seen.add(name)
      const isOptional = !form.required?.includes(name)
      const path = `${prefix}${name}`
      yield [path, `${kindOf(forms, name, field)}${isOptional ? ', optional' : ''}`, field.description ?? '']
      const inner = objectIn(field)
      if (inner) yield* fieldsOf(inner.schema, `${path}${inner.isList ? '[]' : ''}.`)
    }
  }
}

/** The object that a field holds, alone or in a list. */
function objectIn(field: JsonSchema): { readonly schema: JsonSchema; readonly isList: boolean } | undefined {
  if (field.properties) return { schema: field, isList: false }
  if (field.items?.properties) return { schema: field.items, isList: true }
  for (const form of field.anyOf ?? []) {
    const inner = objectIn(form)
    if (inner) return inner
  }
  return undefined
}

function kindOf(forms: readonly JsonSchema[], name: string, field: JsonSchema): string {
  const constants = forms.map((form) => form.properties?.[name]?.const).filter((value) => value !== undefined)
  if (constants.length > 0) return constants.map((value) => `\`${value}\``).join(', ')
  if (field.enum) return field.enum.map((value) => (value === '' ? '`""`' : `\`${value}\``)).join(', ')
  if (field.anyOf) return [...new Set(field.anyOf.map((form) => kindOf([form], '', form)))].join(' or ')
  if (field.type === 'array') return `list of ${field.items ? kindOf([], '', field.items) : 'values'}`
  return field.type ?? 'any'
}
