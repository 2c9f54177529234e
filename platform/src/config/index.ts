export { configMarkdown, describeConfig } from './describe-config.js'
export {
  type Config,
  ConfigError,
  type Environment,
  loadConfig,
} from './load-config.js'
export { createRoleCatalog, needsOf } from './roles.js'
export { VARIABLE_NAMES, VARIABLES } from './variables.js'
