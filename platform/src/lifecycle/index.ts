export type { Component } from './component.js'
export { createProcess, type HostedProcess } from './create-process.js'
export { acquireDataDir, DATA_DIR_LOCK } from './data-dir.js'
export { createHttpComponent } from './http-component.js'

export { runUntilSignal } from './run-until-signal.js'
export type { Need, Service, ServiceDescriptor, ServiceRole } from './service.js'
export { InterruptedError, onFirstSignal, unlessAborted } from './signals.js'
export { StartupError } from './startup-error.js'
