package io.attention4j.chat.template;

import java.util.HashMap;
import java.util.Map;

/**
 * The variables of a template, a loop's iteration, a macro's call or a with block. What is set in
 * one is gone with it, as in Jinja2; an if block has none of its own.
 */
final class Scope {
  private final Scope parent;
  private final Map<String, Object> variables = new HashMap<>();

  Scope(Scope parent) {
    this.parent = parent;
  }

  Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.parent) {
      Object value = scope.variables.get(name);
      if (value != null) {
        return value;
      }
    }
    return new Undefined("'" + name + "' is undefined");
  }

  void set(String name, Object value) {
    variables.put(name, value);
  }
}
