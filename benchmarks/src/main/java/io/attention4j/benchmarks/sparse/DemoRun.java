package io.attention4j.benchmarks.sparse;

import io.attention4j.demo.DemoModel;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import io.attention4j.llm.Session;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** The demo model with an attention operator: its inputs, its perplexity, what it retrieves. */
final class DemoRun implements AutoCloseable {
  /** The context that it was trained with. */
  static final int CONTEXT = 1024;

  private static final int ANSWER_TOKENS = 6; // a space and five digits

  private static final List<String> NAMES =
      List.of("Romeo", "Juliet", "Mercutio", "Tybalt", "Jane", "Bingley", "Prospero", "Gonzalo");

  private final LanguageModel model;

  DemoRun(String attention, int threads) throws IOException {
    model =
        LanguageModel.load(
            DemoModel.file(),
            LoadOptions.builder()
                .contextTokens(CONTEXT)
                .maxBatchRows(CONTEXT)
                .threads(threads)
                .attention(attention)
                .kvCache("f32")
                .build());
  }

  Tokenizer tokenizer() {
    return model.tokenizer();
  }

  /** The layers' inputs for so many tokens; needs the operator record. */
  static List<LayerInput> inputs(int[] text, int tokens, int threads) throws IOException {
    try (DemoRun run = new DemoRun(RecordingOperators.ID, threads);
        Session session = run.model.newSession()) {
      RecordingOperators.take();
      session.append(Arrays.copyOf(text, tokens));
      return RecordingOperators.take().stream()
          .map(r -> new LayerInput(r.queryHeads(), r.kvHeads(), r.headDim(), r.q(), r.k(), r.v()))
          .toList();
    }
  }

  /** Tokens that the model writes itself, BOS and a prompt before them. */
  int[] written(int tokens, long seed) {
    int[] text = tokenizer().encodeWithSpecialTokens(DemoModel.PROMPT);
    SplittableRandom random = new SplittableRandom(seed);
    int[] all = Arrays.copyOf(text, tokens);
    try (Session session = model.newSession()) {
      session.append(text);
      for (int at = text.length; at < tokens; at++) {
        if (session.position() == CONTEXT - 1) {
          session.rewind(0);
          session.append(Arrays.copyOfRange(all, at - CONTEXT / 2, at));
        }
        all[at] = draw(session.logits(), random);
        session.append(all[at]);
      }
    }
    return all;
  }

  private static int draw(float[] logits, SplittableRandom random) {
    double max = Double.NEGATIVE_INFINITY;
    for (float x : logits) {
      max = Math.max(max, x);
    }
    double sum = 0;
    for (float x : logits) {
      sum += Math.exp((x - max) / DemoModel.TEMPERATURE);
    }
    double left = random.nextDouble() * sum;
    for (int token = 0; token < logits.length; token++) {
      left -= Math.exp((logits[token] - max) / DemoModel.TEMPERATURE);
      if (left < 0) {
        return token;
      }
    }
    return logits.length - 1;
  }

  /** Perplexity of the second halves of windows as long as the context, half a window apart. */
  double perplexity(int[] text, int windows) {
    double sum = 0;
    int scored = 0;
    try (Session session = model.newSession()) {
      for (int w = 0; w < windows && (w + 2) * CONTEXT / 2 <= text.length; w++) {
        session.rewind(0);
        int from = w * CONTEXT / 2;
        int[] before = Arrays.copyOfRange(text, from, from + CONTEXT / 2);
        int[] rest = Arrays.copyOfRange(text, from + CONTEXT / 2, from + CONTEXT);
        sum += session.score(before, rest).total();
        scored += rest.length;
      }
    }
    if (scored == 0) {
      throw new IllegalArgumentException(
          "a text of " + text.length + " tokens is shorter than a window of " + CONTEXT);
    }
    return Math.exp(-sum / scored);
  }

  /**
   * Share of passkeys that greedy decoding gives in full. A prompt is some 900 tokens of text with
   * four names and their keys at random places, and asks for one.
   */
  double needles(int[] text, int prompts, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int right = 0;
    for (int p = 0; p < prompts; p++) {
      right += retrieves(text, random) ? 1 : 0;
    }
    return (double) right / prompts;
  }

  private boolean retrieves(int[] text, SplittableRandom random) {
    int parts = 5;
    int partTokens = 170;
    int firstName = random.nextInt(NAMES.size());
    int asked = random.nextInt(parts - 1);
    String answer = null;
    int[] prompt = tokenizer().encodeWithSpecialTokens("");
    for (int part = 0; part < parts; part++) {
      int from = random.nextInt(text.length - partTokens);
      prompt = joined(prompt, Arrays.copyOfRange(text, from, from + partTokens));
      if (part < parts - 1) {
        String key = String.format("%05d", random.nextInt(100_000));
        answer = part == asked ? key : answer;
        String name = NAMES.get((firstName + part) % NAMES.size());
        prompt = joined(prompt, tokenizer().encode(" The passkey of " + name + " is " + key + "."));
      }
    }
    String name = NAMES.get((firstName + asked) % NAMES.size());
    prompt = joined(prompt, tokenizer().encode(" The passkey of " + name + " is"));
    try (Session session = model.newSession()) {
      session.append(prompt);
      int[] given = new int[ANSWER_TOKENS];
      for (int i = 0; i < ANSWER_TOKENS; i++) {
        float[] logits = session.logits();
        for (int token = 0; token < logits.length; token++) {
          given[i] = logits[token] > logits[given[i]] ? token : given[i];
        }
        session.append(given[i]);
      }
      return tokenizer().decode(given).strip().equals(answer);
    }
  }

  private static int[] joined(int[] a, int[] b) {
    int[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }

  @Override
  public void close() {
    model.close();
  }
}
