import type { Config } from '@endcap/platform/config'
import { loadConfig } from './services.js'

/** The configuration of a command that is not a server: that of role `all`, so that embedded servers may stand in. */
export const commandConfig = (options: { readonly dataDir?: string | undefined }): Config =>
  loadConfig(
    ['all'],
    { ENDCAP_LOG_LEVEL: 'warn', ...process.env },
    options.dataDir ? { ENDCAP_DATA_DIR: options.dataDir } : {},
  )
