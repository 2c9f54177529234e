import { startTestClickHouse } from '../testing/clickhouse.js'
import { describeClickHouse } from './clickhouse.suite.js'

describeClickHouse('in this process', startTestClickHouse)
