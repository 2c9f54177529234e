// A process that serves one data directory over ClickHouse's HTTP interface until its stdin ends: `path port`.
import { startClickHouseHttp } from '../clickhouse/index.js'
import { silentLogger } from '../logging/index.js'

const [path = '', port = '0'] = process.argv.slice(2)
const server = await startClickHouseHttp({
  path,
  port: Number(port),
  host: '127.0.0.1',
  logger: silentLogger(),
})
process.stdout.write(`${server.url}\n`)
process.stdin.resume().on('end', () => process.exit(0))
