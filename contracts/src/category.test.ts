import { expect, it } from 'vitest'
import { categoryLineage } from './category.js'

it.each([
  ['shoes', ['shoes']],
  ['shoes/running/trail', ['shoes/running/trail', 'shoes/running', 'shoes']],
  ['shoes/', ['shoes/', 'shoes']],
  ['/shoes', ['/shoes']],
  ['/', ['/']],
])('the lineage of %j is %j', (category, lineage) => expect(categoryLineage(category)).toEqual(lineage))
