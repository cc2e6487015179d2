package io.attention4j.chat.template;

import java.util.LinkedHashMap;
import java.util.Map;

/** The one kind of value whose attributes a template may set. */
record Namespace(Map<String, Object> attributes) {
  Namespace() {
    this(new LinkedHashMap<>());
  }
}
