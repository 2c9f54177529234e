import type { Command } from 'commander'
import { runShopperProcess, type ShopperOptions } from '../demo/shopper-process.js'
import { untilStopped } from '../host/interruption.js'
import { UsageError } from './options.js'

/** The demo's child process; not for people. */
export function shoppersCommand(program: Command): void {
  program.command('shoppers', { hidden: true }).action(() => {
    const options = process.env.ENDCAP_SHOPPERS
    if (!options || !process.send) throw new UsageError('shoppers is started by `endcap demo`')
    // What interrupts the terminal is for the demo to hear, which lets go of this process then.
    return untilStopped(() => runShopperProcess(JSON.parse(options) as ShopperOptions))
  })
}
