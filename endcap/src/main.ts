import { runCli } from './cli.js'

const code = await runCli(process.argv.slice(2))
// All is printed and closed; what a client library still tries in the background does not keep the process.
process.stdout.write('', () => process.exit(code))
