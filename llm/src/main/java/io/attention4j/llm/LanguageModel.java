package io.attention4j.llm;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerOptions;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.llm.decoder.Closing;
import io.attention4j.llm.decoder.Decoder;
import io.attention4j.llm.decoder.HostLayers;
import io.attention4j.llm.decoder.StepScheduler;
import io.attention4j.llm.loading.CacheFactories;
import io.attention4j.llm.loading.Fingerprint;
import io.attention4j.llm.loading.ModelFiles;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * A loaded model. Any number of threads may open sessions and use one each; sessions that are busy
 * at the same time go through the model in one pass.
 *
 * <p>Closing frees everything, sessions included; a generation that is running ends with an {@link
 * IllegalStateException}.
 */
public final class LanguageModel implements AutoCloseable {
  private final ModelInfo info;
  private final ModelFiles files;
  private final Decoder decoder;

  /** One for each device that layers are on. */
  private final List<KvCache.Factory> caches;

  private final StepScheduler scheduler;
  private final Tokenizer tokenizer;
  private final List<AutoCloseable> owned;

  /** Reads prompts before, or null. */
  private final Draft draft;

  private final Set<Session> sessions = new LinkedHashSet<>();
  private byte[] fingerprint;
  private boolean closed;

  private LanguageModel(
      ModelInfo info,
      ModelFiles files,
      Decoder decoder,
      List<KvCache.Factory> caches,
      Tokenizer tokenizer,
      Draft draft,
      List<AutoCloseable> owned) {
    this.info = info;
    this.files = files;
    this.decoder = decoder;
    this.caches = caches;
    this.scheduler = new StepScheduler(decoder);
    this.tokenizer = tokenizer;
    this.draft = draft;
    this.owned = owned;
  }

  /** Loads a model with default options. */
  public static LanguageModel load(Path path) throws IOException {
    return load(path, LoadOptions.DEFAULTS);
  }

  /**
   * Loads a GGUF file (of a split one any part) or a Hugging Face folder. Weights are mapped, not
   * read. With kernels "auto" and softmax attention a GPU is tried first; where it refuses the
   * model or has too little memory, a warning says so and the CPU takes it.
   *
   * @throws io.attention4j.llm.format.ModelFormatException if the file is bad or its architecture
   *     unknown
   * @throws io.attention4j.llm.tokenizer.TokenizerException if its vocabulary cannot be used
   * @throws IllegalArgumentException if an option names something unknown, or the context does not
   *     fit the model; a {@link ContextTooLargeException} if it does not fit the memory
   * @throws IllegalStateException if the kernels asked for cannot run here
   * @throws IOException if the system cannot read a file
   */
  public static LanguageModel load(Path path, LoadOptions options) throws IOException {
    return load(path, options, context -> CacheFactories.create(options.kvCache(), context));
  }

  /**
   * The same with KV caches of the caller's making, for example with a policy of its own; the
   * option {@link LoadOptions#kvCache} is then only their name in reports and saved sessions.
   */
  public static LanguageModel load(
      Path path, LoadOptions options, Function<KvCacheContext, KvCache.Factory> caches)
      throws IOException {
    List<String> attempts = KernelSelector.attempts(provider(options));
    if (!options.attention().equals(LoadOptions.DEFAULTS.attention())) {
      attempts = List.of(attempts.getLast()); // other operators may read keys on the host
    }
    for (String kernels : attempts.subList(0, attempts.size() - 1)) {
      try {
        return load(path, options, caches, kernels);
      } catch (IllegalArgumentException | IllegalStateException e) {
        System.getLogger(LanguageModel.class.getName())
            .log(
                System.Logger.Level.WARNING,
                "going on with the CPU, since {0} cannot run this model: {1}",
                kernels,
                e.getMessage());
      }
    }
    return load(path, options, caches, attempts.getLast());
  }

  /** The operators that options name, or the one that the KV cache is made for. */
  private static String attention(LoadOptions options, KvCache.Factory caches) {
    String named = options.attention();
    if (caches.attention().isEmpty()) {
      return named;
    }
    String needed = caches.attention().get();
    if (!named.equals(LoadOptions.DEFAULTS.attention()) && !named.equals(needed)) {
      throw new IllegalArgumentException(
          "KV cache '"
              + options.kvCache()
              + "' is read by the attention '"
              + needed
              + "', but '"
              + named
              + "' is asked for; leave one of them out");
    }
    return needed;
  }

  /** The provider that options name, or null for the automatic choice. */
  private static String provider(LoadOptions options) {
    return options.kernels().equals(KernelSelector.AUTO) ? null : options.kernels();
  }

  private static LanguageModel load(
      Path path,
      LoadOptions options,
      Function<KvCacheContext, KvCache.Factory> caches,
      String provider)
      throws IOException {
    List<AutoCloseable> owned = new ArrayList<>();
    boolean complete = false;
    try {
      LoadPlan plan = LoadPlan.of(path, options, caches, provider, owned);
      int deviceLayers = plan.deviceLayers(options, provider);
      if (deviceLayers == 0) {
        plan = LoadPlan.of(path, options, caches, KernelSelector.AUTO, owned);
        deviceLayers = plan.config().sizes().layers();
      }
      HostLayers host = hostLayers(plan, deviceLayers, options, caches, owned);
      MemoryBudget.require(plan.memory(), MemoryBudget.availableBytes());
      Tokenizer tokenizer = plan.files().openTokenizer();
      owned.add(tokenizer);
      Draft draft = Draft.load(path, options, plan.caches(), tokenizer);
      if (draft != null) {
        owned.add(draft);
      }
      List<OptionSpec> attention =
          LayerOptions.parse(attention(options, plan.caches()))
              .forLayers(plan.config().sizes().layers());
      Decoder decoder =
          Decoder.load(
              plan.files(),
              plan.config(),
              new Decoder.Options(plan.contextTokens(), plan.rows(), attention),
              plan.kernels(),
              plan.caches(),
              host);
      owned.add(decoder);
      LanguageModel model =
          new LanguageModel(
              info(plan, host, options, decoder),
              plan.files(),
              decoder,
              host == null ? List.of(plan.caches()) : List.of(plan.caches(), host.caches()),
              tokenizer,
              draft,
              owned);
      complete = true;
      return model;
    } finally {
      if (!complete) {
        Closing.all(owned);
      }
    }
  }

  /**
   * The tokenizer of a model, without loading the model, whose weights need not be there; the
   * caller closes it.
   *
   * @throws io.attention4j.llm.format.ModelFormatException as {@link #load}
   */
  public static Tokenizer openTokenizer(Path path) throws IOException {
    return ModelFiles.openTokenizer(path);
  }

  /**
   * How many layers the device of the options' kernels has room for; empty if they work on host
   * memory. Nothing is loaded.
   *
   * @throws io.attention4j.llm.format.ModelFormatException as {@link #load}
   */
  public static Optional<DeviceFit> deviceFit(Path path, LoadOptions options) throws IOException {
    return planned(path, options, LoadPlan::fit);
  }

  /**
   * What loading would take, without loading.
   *
   * @throws io.attention4j.llm.format.ModelFormatException as {@link #load}
   */
  public static MemoryEstimate estimate(Path path, LoadOptions options) throws IOException {
    return planned(path, options, LoadPlan::memory);
  }

  private static <T> T planned(Path path, LoadOptions options, Function<LoadPlan, T> question)
      throws IOException {
    List<AutoCloseable> opened = new ArrayList<>();
    try {
      LoadPlan plan =
          LoadPlan.of(
              path,
              options,
              context -> CacheFactories.create(options.kvCache(), context),
              provider(options),
              opened);
      return question.apply(plan);
    } finally {
      Closing.all(opened);
    }
  }

  /** The layers that do not go to the device, or null. */
  private static HostLayers hostLayers(
      LoadPlan plan,
      int deviceLayers,
      LoadOptions options,
      Function<KvCacheContext, KvCache.Factory> caches,
      List<AutoCloseable> owned) {
    int layers = plan.config().sizes().layers();
    if (deviceLayers == layers) {
      return null;
    }
    KernelSelector kernels =
        KernelSelector.open(KernelSelector.AUTO, new DeviceOptions(options.threads()));
    owned.add(kernels);
    KvCacheContext context = new KvCacheContext(kernels, layers, plan.files().path());
    return new HostLayers(layers - deviceLayers, kernels, caches.apply(context));
  }

  private static String kernels(LoadPlan plan, HostLayers host) {
    if (host == null) {
      return plan.device();
    }
    Device device = host.kernels().device();
    return plan.device()
        + " (layers from "
        + host.count()
        + " on); "
        + device.providerId()
        + ": "
        + device.description()
        + " (layers before)";
  }

  private static ModelInfo info(
      LoadPlan plan, HostLayers host, LoadOptions options, Decoder decoder) {
    long parameters = 0;
    for (String name : plan.files().weightNames()) {
      parameters += plan.files().tensors().tensor(name).shape().elements();
    }
    return new ModelInfo(
        plan.files().path(),
        plan.files().modelName(),
        plan.config(),
        parameters,
        plan.contextTokens(),
        options,
        kernels(plan, host),
        plan.memory(),
        decoder.weightBytesPerToken(),
        plan.files().chatTemplate());
  }

  /** What was loaded. */
  public ModelInfo info() {
    return info;
  }

  /** The model's tokenizer; closed with the model. */
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /** What the KV caches of all sessions take now, on all devices; what they share counts once. */
  public KvUsage kvUsage() {
    return caches.stream().map(KvCache.Factory::usage).reduce(KvUsage::and).orElseThrow();
  }

  /** A new, empty session; the caller closes it. */
  public Session newSession() {
    LayerState[][] fresh = new LayerState[1][];
    scheduler.exclusively(
        () -> {
          synchronized (sessions) {
            requireOpen();
          }
          fresh[0] = decoder.newStates();
        });
    return adopt(fresh[0]);
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the model is closed");
    }
  }

  Session adopt(LayerState[] states) {
    Session session = new Session(this, states);
    synchronized (sessions) {
      if (!closed) {
        sessions.add(session);
        return session;
      }
    }
    Closing.all(Arrays.asList(states));
    throw new IllegalStateException("the model is closed");
  }

  void release(Session session) {
    boolean mine;
    synchronized (sessions) {
      mine = sessions.remove(session);
    }
    if (mine) {
      scheduler.exclusively(session::closeStates);
    }
  }

  /**
   * An embedding of a text, [modelDim]: the mean of the final, normalised hidden states of all its
   * tokens (BOS included where the file adds it), scaled to Euclidean length 1. Models of this kind
   * are not trained for embeddings; compare texts of one model only.
   *
   * @throws IllegalArgumentException if the text has no tokens or more than the context holds
   */
  public float[] embed(String text) {
    int[] tokens = tokenizer.encodeWithSpecialTokens(text);
    if (tokens.length == 0) {
      throw new IllegalArgumentException("an empty text has no embedding with this model");
    }
    double[] sum;
    try (Session session = newSession()) {
      sum = session.hiddenSum(tokens);
    }
    double square = 0;
    for (double value : sum) {
      square += value * value;
    }
    double scale = square == 0 ? 0 : 1 / Math.sqrt(square);
    float[] embedding = new float[sum.length];
    for (int i = 0; i < sum.length; i++) {
      embedding[i] = (float) (sum[i] * scale);
    }
    return embedding;
  }

  /** Natural-log probabilities of a continuation; see {@link Session#score(String, String)}. */
  public Score score(String prompt, String continuation) {
    try (Session session = newSession()) {
      return session.score(prompt, continuation);
    }
  }

  /** Reads prompts before, or null. */
  Draft draft() {
    return draft;
  }

  StepScheduler scheduler() {
    return scheduler;
  }

  boolean picks(int candidates) {
    return decoder.picks(candidates);
  }

  int maxBatchRows() {
    return decoder.maxRows();
  }

  /** Identifies the weights, for saved sessions. */
  synchronized byte[] fingerprint() {
    if (fingerprint == null) {
      fingerprint = Fingerprint.of(files, info.config());
    }
    return fingerprint;
  }

  /** An action on states that does input or output. */
  @FunctionalInterface
  interface StateAction {
    void run() throws IOException;
  }

  void exclusively(StateAction action) throws IOException {
    try {
      scheduler.exclusively(
          () -> {
            try {
              action.run();
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** Ends passes under way, closes all sessions and frees everything. Idempotent. */
  @Override
  public void close() {
    List<Session> open;
    synchronized (sessions) {
      if (closed) {
        return;
      }
      closed = true;
      open = List.copyOf(sessions);
      sessions.clear();
    }
    scheduler.close();
    scheduler.exclusively(
        () -> {
          open.forEach(Session::closeStates);
          Closing.all(owned);
        });
  }
}
