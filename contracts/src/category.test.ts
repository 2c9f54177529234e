import { expect, it } from 'vitest'
import { categoryLineage, isInBlockedCategory } from './category.js'

it.each([
  ['shoes', ['shoes']],
  ['shoes/running/trail', ['shoes/running/trail', 'shoes/running', 'shoes']],
  ['shoes/', ['shoes/', 'shoes']],
  ['/shoes', ['/shoes']],
  ['/', ['/']],
])('the lineage of %j is %j', (category, lineage) => expect(categoryLineage(category)).toEqual(lineage))

it.each([
  [['shoes'], true],
  [['lamps', 'shoes/running/trail'], true],
  [['shoe', 'shoes-and-bags'], false],
  [['sale/shoes'], false],
  [[], false],
])('with shoes blocked, %j: %s', (categories, blocked) =>
  expect(isInBlockedCategory(categories, new Set(['shoes']))).toBe(blocked),
)
