/** The integration tests of kafka-python and of aiokafka, each in a Python environment of its own. */

import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from '../build/bench/peers/cache.js';
import { runCommand } from '../build/bench/peers/commands.js';
import { clone, needs, run } from './suite-commands.mjs';

const minute = 60_000;

/** Clones, and installs with pip into `python/` what the tests want. */
function installPython(name, version, onNote, { url, tag, packages, adapt = () => {} }) {
  return installed(`suite-${name}-${version}`, onNote, (into) => {
    needs(name, 'python3');
    const source = join(into, name);
    clone(url, tag, source);
    adapt(source);
    runCommand('python3', ['-m', 'venv', join(into, 'python')]);
    const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check'];
    runCommand(join(into, 'python', 'bin', 'python'), [...pip, ...packages, source]);
  });
}

/** Runs pytest; outcomes by the names of tests. */
async function pytest(folder, cwd, args, options) {
  const python = join(folder, 'python', 'bin', 'python');
  const { printed } = await run(python, ['-m', 'pytest', '-v', '-p', 'no:cacheprovider', ...args], { cwd, ...options });
  const outcomes = new Map();
  for (const [, test, word] of printed.matchAll(/^(\S+::[^\n]+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b/gm)) {
    const outcome = { PASSED: 'passed', XPASS: 'passed', FAILED: 'failed', ERROR: 'failed' }[word] ?? 'skipped';
    // A test whose end fails is told twice.
    if (outcomes.get(test) !== 'failed') outcomes.set(test, outcome);
  }
  return outcomes;
}

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
