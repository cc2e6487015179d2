/** The demo model bard-2.5m. */
module io.attention4j.demo {
  exports io.attention4j.demo;
}
