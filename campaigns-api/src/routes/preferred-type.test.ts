import { expect, it } from 'vitest'
import { preferredType } from './preferred-type.js'

it.each([
  [undefined, 'application/json'],
  ['', 'application/json'],
  ['*/*', 'application/json'],
  ['text/csv', 'text/csv'],
  ['TEXT/CSV; charset=utf-8', 'text/csv'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html'],
  ['application/json;q=0.5, text/csv', 'text/csv'],
  ['text/csv;q=0, text/html;q=0.1', 'text/html'],
  ['image/png', 'application/json'],
  ['*/*, text/csv;q=0.5', 'application/json'],
])('Accept %j gets %s', (accept, type) => {
  expect(preferredType(accept, ['application/json', 'text/csv', 'text/html'])).toBe(type)
})
