package io.attention4j.llm;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.Truncation;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.decoder.Closing;
import io.attention4j.llm.decoder.Step;
import io.attention4j.llm.sampling.LogProbs;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * One sequence of tokens and what the model's layers remember of it. A session is for one thread at
 * a time; sessions of several threads step through the model together. Results do not depend on
 * what other sessions do, up to rounding: the rows of a pass together can choose another kernel.
 *
 * <p>After an exception from the model a session stands where it stood before the tokens that
 * failed, or is empty if a layer cannot go back.
 */
public final class Session implements AutoCloseable {
  private static final int NONE = -1;

  private final LanguageModel model;
  private final LayerState[] states;
  private final Step step;
  private final LastRow last;
  private final int vocabulary;
  private int[] tokens = new int[64];
  private int length;

  /** The last token of a generation while the model has not seen it, else {@link #NONE}. */
  private int pending = NONE;

  private boolean closed;

  Session(LanguageModel model, LayerState[] states) {
    this.model = model;
    this.states = states;
    this.step = new Step(states);
    this.vocabulary = model.info().config().sizes().vocabulary();
    this.last = new LastRow(vocabulary);
  }

  LanguageModel model() {
    return model;
  }

  /**
   * Tokens that the layers have seen. The last token of a generation is computed, and counts, when
   * the session goes on.
   */
  public int position() {
    return length;
  }

  /** Most tokens. */
  public int contextTokens() {
    return model.info().contextTokens();
  }

  /** The tokens that {@link #position} counts; a copy. */
  public int[] tokens() {
    return Arrays.copyOf(tokens, length);
  }

  /** Bytes that the layers hold, memory shared with forks counted in full. */
  public long bytes() {
    requireOpen();
    long[] sum = new long[1];
    model
        .scheduler()
        .exclusively(
            () -> {
              for (LayerState state : states) {
                sum[0] += state.bytes();
              }
            });
    return sum[0];
  }

  /**
   * Starts a generation; nothing is computed before its first piece is asked for.
   *
   * @throws IllegalArgumentException if the prompt has no tokens, one that the vocabulary lacks, or
   *     more than the context holds
   */
  public Generation generate(GenerationRequest request) {
    requireOpen();
    int[] prompt = promptTokens(request);
    requireTokens(prompt);
    if (prompt.length == 0) {
      throw new IllegalArgumentException(
          "the prompt has no tokens and the model adds none; give at least one");
    }
    int longest = promptTokens();
    if (prompt.length > longest) {
      throw new IllegalArgumentException(
          "the prompt has "
              + prompt.length
              + " tokens but the context holds "
              + longest
              + "; shorten it or load the model with a larger context");
    }
    return new Generation(this, request, prompt);
  }

  /** Longest prompt; a draft model may read more than the context holds and leave less. */
  private int promptTokens() {
    return model.draft() == null ? contextTokens() : model.draft().promptTokens(contextTokens());
  }

  /**
   * Appends tokens to an empty session as a generation does its prompt: a draft model may shorten
   * them and look ahead. Without one it is {@link #append}.
   *
   * @throws IllegalStateException if the session is not empty
   * @throws IllegalArgumentException as {@link #append}
   */
  public void appendPrompt(int... prompt) {
    requireOpen();
    requireTokens(prompt);
    if (length > 0) {
      throw new IllegalStateException(
          "a prompt begins a session, which has " + length + " tokens; rewind to 0 or append");
    }
    PromptStart.run(this, prompt, () -> false, 0);
  }

  /** Runs a generation to its end and hands every piece to the consumer. */
  public GenerationResult generate(GenerationRequest request, Consumer<? super Piece> consumer) {
    return generate(request).run(consumer);
  }

  private int[] promptTokens(GenerationRequest request) {
    boolean continues = request.append() && length > 0;
    int[] given;
    if (request.prompt() == null) {
      given = request.promptTokens().stream().mapToInt(Integer::intValue).toArray();
    } else {
      Tokenizer tokenizer = model.tokenizer();
      given =
          continues
              ? tokenizer.encode(request.prompt())
              : tokenizer.encodeWithSpecialTokens(request.prompt());
    }
    if (!continues) {
      return given;
    }
    int held = length + (pending == NONE ? 0 : 1);
    int[] whole = Arrays.copyOf(tokens, held + given.length);
    if (pending != NONE) {
      whole[length] = pending;
    }
    System.arraycopy(given, 0, whole, held, given.length);
    return whole;
  }

  /**
   * Appends tokens and computes them, in chunks.
   *
   * @throws IllegalArgumentException if they do not fit the context or the vocabulary
   */
  public void append(int... more) {
    requireOpen();
    requireTokens(more);
    requireRoom(more.length + (pending == NONE ? 0 : 1));
    settle();
    appendChunks(more, 0, more.length, () -> false, 0);
  }

  /** Remembers a token that a generation gave and that is computed only when something follows. */
  void pend(int token) {
    pending = token;
  }

  private void settle() {
    if (pending != NONE) {
      appendToken(pending, 0);
    }
  }

  /** One generated token; wants this many candidates after it, or 0 for logits. */
  void appendToken(int token, int wanted) {
    requireRoom(1);
    ensureCapacity(length + 1);
    tokens[length] = token;
    evaluate(1, 0, false, wanted);
  }

  /**
   * Scores of the next token, [vocabulary], natural logs up to a constant; a copy.
   *
   * @throws IllegalStateException if the session is empty
   */
  public float[] logits() {
    requireOpen();
    settle();
    float[] copy = new float[vocabulary];
    copyLogits(copy);
    return copy;
  }

  void copyLogits(float[] target) {
    requireOpen();
    if (!last.has(0)) {
      recomputeLast();
    }
    last.copyLogits(target);
  }

  /** See {@link LastRow#copyCandidates}. */
  boolean copyCandidates(int[] best, float[] row) {
    requireOpen();
    return last.copyCandidates(best, row);
  }

  float logit(int token) {
    return last.logit(token);
  }

  private void recomputeLast() {
    if (length == 0) {
      throw new IllegalStateException("an empty session has no logits; append a token first");
    }
    int token = tokens[length - 1];
    rewind(length - 1);
    appendToken(token, 0);
  }

  /**
   * Appends {@code from .. to} of an array; logits are those of the last. Stops between chunks when
   * asked to and then returns false.
   *
   * @param wanted as for {@link #appendToken}
   */
  boolean appendChunks(int[] source, int from, int to, BooleanSupplier stop, int wanted) {
    requireRoom(to - from);
    ensureCapacity(length + to - from);
    int chunk = model.maxBatchRows();
    for (int at = from; at < to; ) {
      if (stop.getAsBoolean()) {
        return false;
      }
      int count = Math.min(chunk, to - at);
      System.arraycopy(source, at, tokens, length, count);
      boolean end = at + count == to;
      evaluate(count, end ? count - 1 : count, !end, wanted);
      at += count;
    }
    return true;
  }

  /** Tells the next steps how many of their last tokens are guesses that go again. */
  void lookahead(int tokens) {
    step.lookahead(tokens);
  }

  /**
   * Computes the tokens behind {@code length}; wants logits, or candidates, of the rows from {@code
   * outputFrom}.
   */
  private void evaluate(int count, int outputFrom, boolean continued, int wanted) {
    last.want(step, wanted, outputFrom);
    runStep(count, continued);
    if (outputFrom < count) {
      last.arrived(wanted);
    }
  }

  private void runStep(int count, boolean continued) {
    last.clear();
    try {
      model.scheduler().run(step.rows(tokens, length, count, length).continued(continued));
      length += count;
      pending = NONE;
    } finally {
      if (step.takeLost()) {
        pending = NONE;
        length = 0;
      }
    }
  }

  /** The same, with the model's name and a remedy: logits that are no numbers come from weights. */
  IllegalStateException unusable(IllegalStateException logits) {
    return new IllegalStateException(
        model.info().path()
            + ": "
            + logits.getMessage()
            + "; if it is the same with the kernels 'reference', the weights are damaged:"
            + " download or convert the model again",
        logits);
  }

  /**
   * Keeps the longest common beginning with the prompt and returns its length, shorter by one than
   * the prompt where the logits, or candidates, of its last token are not at hand.
   *
   * @param wanted as for {@link #appendToken}
   */
  int reuse(int[] prompt, int wanted) {
    pending = NONE;
    int common = Math.max(0, Arrays.mismatch(tokens, 0, length, prompt, 0, prompt.length));
    if (Arrays.equals(tokens, 0, length, prompt, 0, prompt.length)) {
      common = length;
    }
    if (common == prompt.length && !(common == length && last.has(wanted))) {
      common--;
    }
    return common < length ? truncate(common) : common;
  }

  /** Goes back to {@code target} tokens, or further where a layer cannot; returns how far. */
  int truncate(int target) {
    int[] reached = {target};
    model
        .scheduler()
        .exclusively(
            () -> {
              for (int i = 0; i < states.length; i++) {
                if (states[i].length() > reached[0]
                    && states[i].truncateTo(reached[0]) instanceof Truncation.Refused refused) {
                  long nearest = refused.nearest();
                  reached[0] = nearest >= 0 && nearest < reached[0] ? (int) nearest : 0;
                  if (reached[0] == 0) {
                    states[i].reset();
                  }
                  i = -1; // the layers before must follow
                }
              }
            });
    length = reached[0];
    pending = NONE;
    last.clear();
    return length;
  }

  /**
   * Remembers the present tokens, so that {@link #rewind} to them computes nothing again. Only a
   * recurrent model needs it, and keeps the last {@value
   * io.attention4j.engine.operator.RecurrentState#MAX_SNAPSHOTS}; every generation takes one before
   * and one after its prompt.
   */
  public void snapshot() {
    requireOpen();
    settle();
    remember();
  }

  void remember() {
    model
        .scheduler()
        .exclusively(
            () -> {
              for (LayerState state : states) {
                state.snapshot();
              }
            });
  }

  /**
   * Goes back to the first {@code target} tokens. Where a layer cannot, it goes back as far as it
   * must and the tokens are computed again.
   *
   * @throws IllegalArgumentException if there are fewer tokens
   */
  public void rewind(int target) {
    requireOpen();
    if (target < 0 || target > length) {
      throw new IllegalArgumentException(
          "cannot rewind a session of " + length + " tokens to " + target);
    }
    if (target == length) {
      pending = NONE;
      return;
    }
    int reached = truncate(target);
    if (reached < target) {
      appendChunks(tokens.clone(), reached, target, () -> false, 0);
    }
  }

  /** An independent session with the same tokens; memory may be shared until either goes on. */
  public Session fork() {
    requireOpen();
    LayerState[] copies = new LayerState[states.length];
    model
        .scheduler()
        .exclusively(
            () -> {
              boolean complete = false;
              try {
                for (int i = 0; i < copies.length; i++) {
                  copies[i] = states[i].fork();
                }
                complete = true;
              } finally {
                if (!complete) {
                  Closing.all(Arrays.stream(copies).filter(state -> state != null).toList());
                }
              }
            });
    Session copy = model.adopt(copies);
    copy.tokens = tokens.clone();
    copy.length = length;
    copy.pending = pending;
    copy.last.copyFrom(last);
    return copy;
  }

  /**
   * Natural-log probabilities of a continuation. Both texts are encoded together, with BOS as the
   * file says, and the continuation is what comes after the tokens of the prompt alone.
   *
   * @throws IllegalArgumentException if the continuation does not come after at least one token, or
   *     the context is too small
   */
  public Score score(String prompt, String continuation) {
    Tokenizer tokenizer = model.tokenizer();
    int[] before = tokenizer.encodeWithSpecialTokens(prompt);
    if (tokenizer.addsEos()) {
      before = Arrays.copyOf(before, before.length - 1);
    }
    int[] whole = tokenizer.encodeWithSpecialTokens(prompt + continuation);
    int end = tokenizer.addsEos() ? whole.length - 1 : whole.length;
    int from = Math.min(before.length, end);
    return score(Arrays.copyOf(whole, from), Arrays.copyOfRange(whole, from, end));
  }

  /**
   * Natural-log probabilities of the tokens of a continuation, given the prompt before it. The
   * session holds both afterwards; the beginning that it holds already is not computed again.
   */
  public Score score(int[] prompt, int[] continuation) {
    requireOpen();
    int[] whole = Arrays.copyOf(prompt, prompt.length + continuation.length);
    System.arraycopy(continuation, 0, whole, prompt.length, continuation.length);
    requireTokens(whole);
    if (prompt.length == 0) {
      throw new IllegalArgumentException(
          "a score needs at least one token before the continuation, such as BOS");
    }
    double[] logProbs = new double[continuation.length];
    if (logProbs.length == 0) {
      return new Score(continuation.clone(), logProbs);
    }
    // Row i predicts token i + 1, so the last token of the prompt must be computed here.
    int reused = Math.min(reuse(whole, 0), prompt.length - 1);
    reused = reused < length ? truncate(reused) : reused;
    requireRoom(whole.length - reused);
    ensureCapacity(whole.length);
    System.arraycopy(whole, reused, tokens, reused, whole.length - reused);
    float[] row = new float[vocabulary];
    while (length < whole.length) {
      int start = length;
      int count = Math.min(model.maxBatchRows(), whole.length - start);
      int outputFrom = Math.clamp(prompt.length - 1L - start, 0, count);
      step.output(
          Step.Output.LOGITS,
          outputFrom,
          (r, values, byteOffset) -> {
            MemorySegment.copy(values, Tensor.FLOAT, byteOffset, row, 0, vocabulary);
            int next = start + r + 1;
            if (next < whole.length) {
              logProbs[next - prompt.length] = logProb(row, whole[next]);
            }
          });
      runStep(count, start + count < whole.length);
    }
    last.setLogits(row);
    return new Score(continuation.clone(), logProbs);
  }

  private double logProb(float[] row, int token) {
    try {
      return LogProbs.of(row, token);
    } catch (IllegalStateException e) {
      throw unusable(e);
    }
  }

  /** Sum of the normalised hidden states of a text's tokens, [modelDim], in an empty session. */
  double[] hiddenSum(int[] text) {
    requireTokens(text);
    requireRoom(text.length);
    ensureCapacity(text.length);
    System.arraycopy(text, 0, tokens, 0, text.length);
    int modelDim = model.info().config().sizes().modelDim();
    double[] sum = new double[modelDim];
    step.output(
        Step.Output.HIDDEN,
        0,
        (row, values, byteOffset) -> {
          for (int i = 0; i < modelDim; i++) {
            sum[i] += values.get(Tensor.FLOAT, byteOffset + (long) i * Float.BYTES);
          }
        });
    while (length < text.length) {
      int count = Math.min(model.maxBatchRows(), text.length - length);
      runStep(count, length + count < text.length);
    }
    return sum;
  }

  /**
   * Writes tokens and layers to a file, so that {@link #restore} continues token for token. The
   * file appears whole or not at all.
   *
   * @throws IOException if writing fails; a file that was there is then as before
   */
  public void save(Path file) throws IOException {
    requireOpen();
    settle();
    SessionFile.write(file, model, tokens(), List.of(states));
  }

  /**
   * Replaces the contents by what {@link #save} wrote from the same model and options.
   *
   * @throws io.attention4j.llm.format.ModelFormatException if the file is no session, is torn, or
   *     belongs to another model; the session is then unchanged, or empty if the layers had begun
   *     to load
   * @throws IOException if the file cannot be read
   */
  public void restore(Path file) throws IOException {
    requireOpen();
    SessionFile.Header header = SessionFile.check(file, model);
    int before = length;
    length = 0;
    pending = NONE;
    last.clear();
    boolean loaded = false;
    try {
      SessionFile.read(file, header, model, List.of(states));
      loaded = true;
    } finally {
      if (!loaded) {
        length = before;
        truncate(0);
      }
    }
    tokens = header.tokens().clone();
    length = tokens.length;
  }

  private void requireTokens(int[] ids) {
    for (int id : ids) {
      if (id < 0 || id >= vocabulary) {
        throw new IllegalArgumentException(
            "token " + id + " is outside the vocabulary of 0 to " + (vocabulary - 1));
      }
    }
  }

  private void requireRoom(int count) {
    if (count > contextTokens() - length) {
      throw new IllegalArgumentException(
          count
              + " tokens do not fit: the session holds "
              + length
              + " of "
              + contextTokens()
              + "; shorten the text, rewind, or load the model with a larger context");
    }
  }

  private void ensureCapacity(int needed) {
    if (needed > tokens.length) {
      int capacity = Math.min(contextTokens(), Math.max(needed, 2 * tokens.length));
      tokens = Arrays.copyOf(tokens, capacity);
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the session is closed");
    }
  }

  /** Frees the layers' memory. Idempotent. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      model.release(this);
    }
  }

  /** For the model, once no pass is under way. */
  void closeStates() {
    closed = true;
    Closing.all(List.of(states));
  }
}
