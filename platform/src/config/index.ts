export { type ConfigLine, configMarkdown, describeConfig } from './describe-config.js'
export {
  type Config,
  ConfigError,
  type ConfigProblem,
  type Environment,
  loadConfig,
  type Source,
} from './load-config.js'
export { createRoleCatalog, needsOf, type RoleCatalog } from './roles.js'
export { VARIABLE_NAMES, VARIABLES, type Variable, type VariableName } from './variables.js'
