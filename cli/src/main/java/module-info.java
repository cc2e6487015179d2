/** The attention4j command. */
module io.attention4j.cli {
  requires io.attention4j.llm;
  requires info.picocli;

  opens io.attention4j.cli to
      info.picocli;
}
