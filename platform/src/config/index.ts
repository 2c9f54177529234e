export { configMarkdown, describeConfig } from './describe-config.js'
export {
  type Config,
  ConfigError,
  loadConfig,
} from './load-config.js'
export { isRole, PIPELINE_ROLES, type PipelineRole, ROLES, type Role, roleConflict } from './roles.js'
export { VARIABLE_NAMES, VARIABLES } from './variables.js'
