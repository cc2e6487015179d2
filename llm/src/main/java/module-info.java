/** Model files, tokenizers, architectures and generation. */
module io.attention4j.llm {
  requires ai.djl.tokenizers;
  requires com.fasterxml.jackson.core;
  requires jdk.management;
  requires transitive com.fasterxml.jackson.databind;
  requires transitive io.attention4j.engine;
  requires io.attention4j.kvcache;

  exports io.attention4j.llm;
  exports io.attention4j.llm.architecture;
  exports io.attention4j.llm.format;
  exports io.attention4j.llm.gguf;
  exports io.attention4j.llm.safetensors;
  exports io.attention4j.llm.pickle;
  exports io.attention4j.llm.sampling;
  exports io.attention4j.llm.tokenizer;

  uses io.attention4j.engine.operator.KvCacheProvider;
}
