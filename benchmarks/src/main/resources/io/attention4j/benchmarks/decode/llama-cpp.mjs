// Times llama.cpp (through node-llama-cpp) on request. Arguments: model, threads, tokens of context
// beyond the depth. Each line of stdin is a command; each answer is a line of stdout:
//   fill DEPTH         -> ok            a context with DEPTH random tokens
//   decode DEPTH N     -> seconds       of decoding N tokens greedily behind them
//   prefill N          -> seconds       of computing N random tokens
// Seconds are wall time of the evaluation alone. Whatever goes wrong ends the process.
import {createInterface} from "node:readline";
import {getLlama} from "node-llama-cpp";

const [modelPath, threads, tokens] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", maxThreads: Number(threads), logLevel: "error"});
const model = await llama.loadModel({modelPath});
const vocabulary = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
const sequences = new Map();

let state = 42;
function randomTokens(count) {
  return Array.from({length: count}, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    return Math.floor((state / 2 ** 32) * (vocabulary - 1024)); // special tokens stand at the end
  });
}

async function rewind(sequence, depth) {
  if (sequence.nextTokenIndex > depth) {
    await sequence.eraseContextTokenRanges([{start: depth, end: sequence.nextTokenIndex}]);
  }
}

async function fill(depth) {
  const context = await model.createContext({
    contextSize: depth + Number(tokens),
    batchSize: 512,
    threads: {ideal: Number(threads), min: Number(threads)}
  });
  const sequence = context.getSequence();
  sequences.set(depth, sequence);
  if (depth > 0) {
    await sequence.evaluateWithoutGeneratingNewTokens(randomTokens(depth));
  }
  return "ok";
}

async function decode(depth, count) {
  const sequence = sequences.get(depth);
  await rewind(sequence, depth);
  const first = randomTokens(1);
  const start = performance.now();
  let made = 0;
  for await (const _ of sequence.evaluate(first, {temperature: 0, yieldEogToken: true})) {
    if (++made === count) break;
  }
  const seconds = (performance.now() - start) / 1e3;
  if (made !== count) throw new Error(`made ${made} tokens instead of ${count}`);
  return seconds;
}

async function prefill(count) {
  const sequence = sequences.get(0);
  await rewind(sequence, 0);
  const prompt = randomTokens(count);
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(prompt);
  return (performance.now() - start) / 1e3;
}

console.log("ready");
for await (const line of createInterface({input: process.stdin})) {
  const [command, a, b] = line.split(" ");
  const answer =
    command === "fill" ? await fill(Number(a))
    : command === "decode" ? await decode(Number(a), Number(b))
    : await prefill(Number(a));
  console.log(String(answer));
}
process.exit(0);
