/** The attention4j command. */
module io.attention4j.cli {
  requires com.fasterxml.jackson.databind;
  requires io.attention4j.chat;
  requires io.attention4j.demo;
  requires io.attention4j.kvcache;
  requires io.attention4j.llm;
  requires info.picocli;
  requires me.tongfei.progressbar;
  requires java.management;
  requires jdk.management;

  uses io.attention4j.engine.operator.KvCacheProvider;

  opens io.attention4j.cli to
      info.picocli;
}
