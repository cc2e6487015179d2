package io.attention4j.llm;

import io.attention4j.llm.sampling.LogProbs;
import io.attention4j.llm.sampling.LogProbs.TokenLogProb;
import io.attention4j.llm.sampling.Sampler;
import io.attention4j.llm.sampling.StopStrings;
import io.attention4j.llm.tokenizer.IncrementalDecoder;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * One generation of a session: pulls a token from the model when the consumer asks for the next
 * piece. It is consumed once, by iterator, {@link #stream} or {@link #run}. While it runs its
 * session belongs to it. {@link #cancel} may be called from any thread; all else by one.
 */
public final class Generation implements Iterable<Piece> {
  private final Session session;
  private final GenerationRequest request;
  private final Tokenizer tokenizer;
  private final Sampler sampler;
  private final StopStrings stopStrings;
  private final int[] prompt;
  private final float[] row;

  /** The tokens to choose from where the model can say which, else empty. */
  private final int[] candidates;

  private final StringBuilder text = new StringBuilder();

  private IncrementalDecoder decoder;
  private int[] generated = new int[64];
  private int count;
  private boolean started;
  private boolean evaluated;
  private boolean consumed;
  private FinishReason reason;
  private volatile boolean cancelled;

  private long startNanos;
  private int reusedTokens;
  private long prefillNanos;
  private long firstTokenNanos;
  private long lastTokenNanos;

  Generation(Session session, GenerationRequest request, int[] prompt) {
    this.session = session;
    this.request = request;
    this.prompt = prompt;
    this.tokenizer = session.model().tokenizer();
    int vocabulary = session.model().info().config().sizes().vocabulary();
    this.sampler = new Sampler(request.sampling(), vocabulary);
    this.stopStrings = new StopStrings(request.stopStrings());
    this.row = new float[vocabulary];
    int needed = request.logProbs() < 0 ? sampler.candidates() : 0;
    this.candidates = new int[needed > 0 && session.model().picks(needed) ? needed : 0];
  }

  /** Ends the generation before its next token or prompt chunk. Safe from any thread. */
  public void cancel() {
    cancelled = true;
  }

  /** The pieces; can be asked for once. */
  @Override
  public Iterator<Piece> iterator() {
    if (consumed) {
      throw new IllegalStateException("a generation can be consumed once; make another request");
    }
    consumed = true;
    return new Pieces();
  }

  /** The pieces as a stream; can be asked for once. Closing it cancels. */
  public Stream<Piece> stream() {
    int order = Spliterator.ORDERED | Spliterator.NONNULL;
    return StreamSupport.stream(Spliterators.spliteratorUnknownSize(iterator(), order), false)
        .onClose(this::cancel);
  }

  /** Runs to the end and hands every piece to the consumer; returns the result. */
  public GenerationResult run(Consumer<? super Piece> consumer) {
    Objects.requireNonNull(consumer, "consumer");
    forEach(consumer);
    return result();
  }

  /** Runs to the end. */
  public GenerationResult run() {
    return run(piece -> {});
  }

  /** Why it ended; empty while it runs. */
  public Optional<FinishReason> finishReason() {
    return Optional.ofNullable(reason);
  }

  /**
   * What it gave.
   *
   * @throws IllegalStateException while it runs
   */
  public GenerationResult result() {
    if (reason == null) {
      throw new IllegalStateException("the generation is not finished; consume all its pieces");
    }
    return new GenerationResult(
        text.toString(),
        Arrays.copyOf(generated, count),
        reason,
        stopStrings.matched().orElse(null),
        timings());
  }

  private Timings timings() {
    return new Timings(
        prompt.length,
        reusedTokens,
        prefillNanos,
        count,
        count == 0 ? 0 : firstTokenNanos - startNanos,
        count == 0 ? 0 : lastTokenNanos - firstTokenNanos);
  }

  /** The next piece, or null at the end. */
  private Piece next() {
    if (reason != null) {
      return null;
    }
    if (!started && !start()) {
      return finish(FinishReason.CANCELLED);
    }
    if (stopRequested()) {
      return finish(FinishReason.CANCELLED);
    }
    if (request.maxTokens() > 0 && count == request.maxTokens()) {
      return finish(FinishReason.LENGTH);
    }
    if (!evaluated) {
      session.appendToken(generated[count - 1], candidates.length);
      evaluated = true;
    }
    if (session.position() == session.contextTokens()) {
      return finish(FinishReason.CONTEXT_FULL);
    }
    return decode();
  }

  /** Computes the prompt; false if it was cancelled on the way. */
  private boolean start() {
    started = true;
    startNanos = System.nanoTime();
    PromptStart start = PromptStart.run(session, prompt, this::stopRequested, candidates.length);
    reusedTokens = start.reused();
    prefillNanos = System.nanoTime() - startNanos;
    session.remember();
    evaluated = true;
    if (request.penalisePrompt() && request.sampling().penalises()) {
      for (int token : prompt) {
        sampler.accept(token);
      }
    }
    decoder = tokenizer.newDecoder(prompt);
    return start.complete();
  }

  private Piece decode() {
    double logSum = 0;
    List<TokenLogProb> top = List.of();
    int token;
    if (candidates.length > 0 && session.copyCandidates(candidates, row)) {
      token = sampler.next(row, candidates);
    } else {
      session.copyLogits(row);
      try {
        logSum = request.logProbs() >= 0 ? LogProbs.logSumExp(row) : 0;
        top = request.logProbs() > 0 ? LogProbs.top(row, request.logProbs()) : top;
        token = sampler.next(row);
      } catch (IllegalStateException e) {
        throw session.unusable(e);
      }
    }
    lastTokenNanos = System.nanoTime();
    if (count == 0) {
      firstTokenNanos = lastTokenNanos;
    }
    if (endsGeneration(token)) {
      return finish(FinishReason.STOP_TOKEN);
    }
    double logProb =
        request.logProbs() >= 0 ? Math.min(0, session.logit(token) - logSum) : Double.NaN;
    sampler.accept(token);
    if (count == generated.length) {
      generated = Arrays.copyOf(generated, 2 * count);
    }
    generated[count++] = token;
    session.pend(token);
    evaluated = false;
    String piece = stopStrings.accept(decoder.accept(token));
    if (stopStrings.matched().isPresent()) {
      reason = FinishReason.STOP_STRING;
    }
    text.append(piece);
    return new Piece(token, piece, logProb, top);
  }

  private boolean endsGeneration(int token) {
    return request.stopTokens().contains(token)
        || !request.ignoreEnd() && tokenizer.isEndOfGeneration(token);
  }

  private boolean stopRequested() {
    return cancelled || Thread.currentThread().isInterrupted();
  }

  /** Gives out what was held back: no stop string can follow any more. */
  private Piece finish(FinishReason why) {
    reason = why;
    if (decoder == null) {
      return null;
    }
    String rest = stopStrings.accept(decoder.finish());
    if (stopStrings.matched().isEmpty()) {
      rest += stopStrings.finish();
    }
    text.append(rest);
    return rest.isEmpty() ? null : new Piece(-1, rest, Double.NaN, List.of());
  }

  private final class Pieces implements Iterator<Piece> {
    private Piece ahead;

    @Override
    public boolean hasNext() {
      if (ahead == null) {
        ahead = Generation.this.next();
      }
      return ahead != null;
    }

    @Override
    public Piece next() {
      if (!hasNext()) {
        throw new NoSuchElementException("the generation has ended: " + reason);
      }
      Piece piece = ahead;
      ahead = null;
      return piece;
    }
  }
}
