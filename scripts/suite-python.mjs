/** The integration tests of kafka-python, of aiokafka and of Confluent's client for Python. */

import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kafkaPath } from './suite-commands.mjs';
import { installPython, pytest } from './suite-pytest.mjs';

const minute = 60_000;

const kafkaPythonVersion = '3.0.11';

export const kafkaPython = {
  name: 'kafka-python',
  version: kafkaPythonVersion,
  settings: { 'num.partitions': '4' },
  install: (onNote) =>
    installPython('kafka-python', kafkaPythonVersion, onNote, {
      url: 'https://github.com/dpkp/kafka-python',
      tag: kafkaPythonVersion,
      packages: [
        'pytest==8.4.2',
        'pytest-timeout',
        'pytest-mock',
        'mock',
        'py',
        'crc32c',
        'lz4',
        'python-snappy',
        'zstandard',
      ],
    }),
  run(folder, address, log) {
    const files = ['admin', 'consumer', 'producer'].map((part) => `test/integration/test_${part}_integration.py`);
    // Where it would look for a Kafka to start: the folder has to be there.
    const environment = { KAFKA_URI: `kafka://${address}`, KAFKA_VERSION: '4.0.0', KAFKA_ROOT: folder };
    const args = ['--timeout=120', ...files];
    return pytest(folder, join(folder, 'kafka-python'), args, { environment, limitMs: 15 * minute, log });
  },
};

const aiokafkaVersion = '0.14.0';

/** What starts Kafka in Docker gives way to the broker at an address. */
const aiokafkaFixtures = `

@pytest.fixture(scope="session")
def docker(request):
    yield None


@pytest.fixture(scope="class")
def acl_manager():
    return None


@pytest.fixture(scope="class")
def kafka_config():
    return None


@pytest.fixture(scope="class")
def kerberos_utils():
    return None


@pytest.fixture(scope="session")
def ssl_folder():
    return None


@pytest.fixture(scope="session")
def kafka_server():
    host, port = os.environ["KAFKA_ADDRESS"].split(":")
    yield KafkaServer(host, int(port), 0, 0, 0, None)
`;

export const aiokafka = {
  name: 'aiokafka',
  version: aiokafkaVersion,
  settings: { 'num.partitions': '2' },
  install: (onNote) =>
    installPython('aiokafka', aiokafkaVersion, onNote, {
      url: 'https://github.com/aio-libs/aiokafka',
      tag: `v${aiokafkaVersion}`,
      packages: [
        'pytest==8.4.2',
        'pytest-asyncio',
        'pytest-timeout',
        'pytest-mock',
        'docker',
        'cramjam',
        'setuptools',
        'Cython',
        'gssapi; platform_system == "none"',
      ],
      adapt(source) {
        appendFileSync(join(source, 'tests', 'conftest.py'), aiokafkaFixtures);
        writeFileSync(join(source, 'tests', 'pytest.ini'), '[pytest]\nasyncio_mode = auto\n');
      },
    }),
  run(folder, address, log) {
    const areas = ['admin', 'client', 'consumer', 'coordinator', 'fetcher', 'pep492', 'producer'];
    const transactional = ['transactional_consumer', 'transactional_producer'];
    const files = [...areas, ...transactional].map((area) => `tests/test_${area}.py`);
    // Its own parts in C are not built in the folder that its tests are run from.
    const environment = { KAFKA_ADDRESS: address, AIOKAFKA_NO_EXTENSIONS: '1' };
    const args = ['--docker-image=kafka:2.8.1', '--timeout=120', '-c', 'tests/pytest.ini', '--rootdir=.', ...files];
    return pytest(folder, join(folder, 'aiokafka'), args, { environment, limitMs: 20 * minute, log });
  },
};

const confluentVersion = '2.15.0';
const inIntegration = (...names) => names.map((name) => `tests/integration/${name}`);
/** What wants a registry of schemas or SASL is left out. */
const ofClients = inIntegration('admin', 'consumer', 'producer', 'serialization');
const ofShares = inIntegration('share_consumer');
const wantsSasl = 'tests/integration/admin/test_describe_operations.py';

/** Its share consumers' tests wait most of the time, so several run at once. */
const confluentSuite = (kind, files, { protocol = 'classic', more = [], settings = {} } = {}) => ({
  name: `confluent-kafka for Python (${kind})`,
  version: confluentVersion,
  settings,
  install: (onNote) =>
    installPython('confluent-kafka', confluentVersion, onNote, {
      url: 'https://github.com/confluentinc/confluent-kafka-python',
      tag: `v${confluentVersion}`,
      packages: [
        `confluent-kafka[schemaregistry,avro,json,protobuf]==${confluentVersion}`,
        ...['pytest==8.4.2', 'pytest-asyncio', 'pytest-timeout', 'pytest-xdist', 'trivup'],
      ],
      isBuilt: false,
      // It removes the topics of all tests once those of a file are done.
      adapt: (source) => rmSync(join(source, 'tests', 'integration', 'share_consumer', 'conftest.py')),
    }),
  run(folder, address, log) {
    const environment = {
      BROKERS: address,
      KAFKA_HOME: kafkaPath(folder),
      TEST_CONSUMER_GROUP_PROTOCOL: protocol,
    };
    const args = ['--timeout=180', `--ignore=${wantsSasl}`, ...more, ...files];
    return pytest(folder, join(folder, 'confluent-kafka'), args, { environment, limitMs: 20 * minute, log });
  },
});

export const confluentSuites = [
  confluentSuite('classic groups', ofClients),
  confluentSuite('consumer groups', ofClients, { protocol: 'consumer' }),
  confluentSuite('share groups', ofShares, {
    more: ['-n', '4'],
    settings: { 'group.share.record.lock.duration.ms': '1000', 'group.share.min.record.lock.duration.ms': '1000' },
  }),
];
