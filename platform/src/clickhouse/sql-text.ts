import type { ParamValue } from './define-query.js'

/** A string literal of ClickHouse SQL. */
export const literal = (text: string): string =>
  `'${text.replace(/[\\']/g, (character) => `\\${character}`)}'`

/** Names of columns, tables and settings that may stand in SQL text. */
export function identifier(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Error(`"${name}" is not a plain name`)
  return name
}

const PARAM_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
  "'": "\\'",
}
const escapeParam = (text: string): string =>
  text.replace(/[\\\t\n\r\0']/g, (character) => PARAM_ESCAPES[character]!)

/** A parameter value in the text form that ClickHouse reads for `{name:Type}` (the form of `param_name` in its HTTP interface). */
export function paramText(value: ParamValue): string {
  if (typeof value === 'string') return escapeParam(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (isArray(value)) return `[${value.map(elementText).join(',')}]`
  return String(value)
}

function elementText(value: ParamValue): string {
  if (typeof value === 'string') return `'${escapeParam(value)}'`
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  return paramText(value)
}

const isArray = (value: ParamValue): value is readonly ParamValue[] => Array.isArray(value)
