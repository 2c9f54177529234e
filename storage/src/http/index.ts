export * from './create-once.js'
export * from './page.js'
export * from './visibility.js'
