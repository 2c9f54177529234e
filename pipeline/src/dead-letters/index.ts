export * from './dead-letter.js'
export * from './dead-letters.js'
