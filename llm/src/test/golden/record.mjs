// Runs llama.cpp on every GGUF of a folder and writes what it says as JSON:
//   node record.mjs MODELS_FOLDER GOLDEN_FOLDER
import {createHash} from "node:crypto";
import {mkdir, readdir, readFile, writeFile} from "node:fs/promises";
import {basename, join} from "node:path";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const PROMPT_TOKENS = 24;
const NEW_TOKENS = 24;
const CONTEXT_TOKENS = 256;
const TOP = 10;
// Tokens in the context whose logits are recorded, the last of the prompt and of all among them.
const RECORDED_POSITIONS = [1, 4, 9, 16, 24, 31, 40, 47];
const TEXT = "The cat and 1234 hens: été\n  don't.";

// No token of it is special in any of the vocabularies, and no two neighbours repeat.
const prompt = Array.from({length: PROMPT_TOKENS}, (_, i) => 5 + ((i * i * 7 + i * 29) % 250));

async function record(llama, file) {
    const model = await llama.loadModel({modelPath: file, gpuLayers: 0, useMmap: false});
    // The defaults, an F16 cache and flash attention, round more than F32 weights do.
    const context = await model.createContext({
        contextSize: CONTEXT_TOKENS,
        threads: 1,
        flashAttention: false,
        swaFullCache: true,
        experimentalKvCacheKeyType: "F32",
        experimentalKvCacheValueType: "F32"
    });
    const sequence = context.getSequence();
    const positions = [];
    const greedy = [];
    let smallestGap = Infinity;

    const observe = (position, output) => {
        const logits = [...output.next.logits].sort((a, b) => b[1] - a[1]);
        const max = logits[0][1];
        const logSum = max + Math.log(logits.reduce((sum, [, value]) => sum + Math.exp(value - max), 0));
        const logProbs = logits.map(([token, value]) => [token, Number((value - logSum).toFixed(5))]);
        if (RECORDED_POSITIONS.includes(position))
            positions.push({tokens: position, logProbs: logProbs.slice(0, TOP)});
        if (position >= PROMPT_TOKENS) {
            greedy.push(logProbs[0]);
            smallestGap = Math.min(smallestGap, logits[0][1] - logits[1][1]);
        }
        return logits[0][0];
    };

    const next = {generateNext: {logits: true}};
    const outputs = await sequence.controlledEvaluate(prompt.map((token) => [token, next]));
    let token;
    for (let i = 0; i < outputs.length; i++)
        token = observe(i + 1, outputs[i]);
    for (let position = PROMPT_TOKENS + 1; position < PROMPT_TOKENS + NEW_TOKENS; position++) {
        const [output] = await sequence.controlledEvaluate([[token, next]]);
        token = observe(position, output);
    }

    const golden = {
        model: basename(file, ".gguf"),
        llamaCpp: llama.llamaCppRelease.release,
        sha256: createHash("sha256").update(await readFile(file)).digest("hex"),
        smallestGap: Number(smallestGap.toFixed(4)),
        prompt,
        greedy,
        positions,
        text: TEXT,
        textTokens: [...model.tokenize(TEXT)]
    };
    await context.dispose();
    await model.dispose();
    return golden;
}

/** One line for each list of numbers. */
function json(value) {
    return JSON.stringify(value, null, 1).replace(/\[[-\d.,\s[\]e]+\]/g, (list) => list.replace(/\s+/g, "")) + "\n";
}

const [models, goldens] = process.argv.slice(2);
if (goldens == null) {
    console.error("usage: node record.mjs MODELS_FOLDER GOLDEN_FOLDER");
    process.exit(2);
}
await mkdir(goldens, {recursive: true});
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.warn});
for (const name of (await readdir(models)).filter((name) => name.endsWith(".gguf")).sort()) {
    const golden = await record(llama, join(models, name));
    await writeFile(join(goldens, golden.model + ".json"), json(golden));
    console.log(golden.model, "gap", golden.smallestGap, "greedy", golden.greedy.map(([token]) => token).join(" "));
}
console.log("llama.cpp", llama.llamaCppRelease.release);
await llama.dispose();
