package io.attention4j.chat.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The arguments of one call.
 *
 * @param positional in order
 * @param named by name
 */
record Arguments(List<Object> positional, Map<String, Object> named) {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  int count() {
    return positional.size() + named.size();
  }

  /** The argument at a position or of a name, or {@code otherwise}. */
  Object get(int index, String name, Object otherwise) {
    if (index < positional.size()) {
      return positional.get(index);
    }
    return named.getOrDefault(name, otherwise);
  }

  Object required(int index, String name, String function) {
    Object value = get(index, name, null);
    if (value == null) {
      throw new TemplateException(function + " needs its argument '" + name + "'");
    }
    return value;
  }

  /** Refuses arguments that a function does not have. */
  Arguments only(String function, String... names) {
    if (positional.size() > names.length) {
      throw new TemplateException(
          function + " takes at most " + names.length + " arguments, not " + positional.size());
    }
    for (String name : named.keySet()) {
      if (!List.of(names).contains(name)) {
        throw new TemplateException(function + " has no argument '" + name + "'");
      }
    }
    return this;
  }

  Arguments withFirst(Object first) {
    List<Object> all = new ArrayList<>();
    all.add(first);
    all.addAll(positional);
    return new Arguments(all, named);
  }

  Arguments withNamed(String name, Object value) {
    Map<String, Object> all = new LinkedHashMap<>(named);
    all.put(name, value);
    return new Arguments(positional, all);
  }

  Arguments skip(int count) {
    return new Arguments(
        positional.subList(Math.min(count, positional.size()), positional.size()), named);
  }
}
