import type { Command } from 'commander'
import { runShopperProcess, type ShopperOptions } from '../demo/shopper-process.js'
import { UsageError } from './options.js'

/** The demo's child process; not for people. */
export function shoppersCommand(program: Command): void {
  program.command('shoppers', { hidden: true }).action(() => {
    const options = process.env.ENDCAP_SHOPPERS
    if (!options || !process.send) throw new UsageError('shoppers is started by `endcap demo`')
    return runShopperProcess(JSON.parse(options) as ShopperOptions)
  })
}
