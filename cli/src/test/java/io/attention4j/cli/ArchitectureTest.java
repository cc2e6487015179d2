package io.attention4j.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The arrows of ARCHITECTURE.md, on the compiled classes of every library module. */
class ArchitectureTest {
  private static final Path ROOT = Path.of("..");

  /** Compiled main classes, straight from the modules' folders: a jar could be an older one. */
  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .importPaths(modules().stream().map(module -> module.resolve("target/classes")).toList());

  private static final String ENGINE = "io.attention4j.engine..";
  private static final String KERNELS = "io.attention4j.kernels..";
  private static final String SPARSE = "io.attention4j.sparse..";
  private static final String KV_CACHE = "io.attention4j.kvcache..";
  private static final String LLM = "io.attention4j.llm..";
  private static final String CHAT = "io.attention4j.chat..";
  private static final String CLI = "io.attention4j.cli..";

  @Test
  void everyModuleWithSourcesIsSeen() {
    Set<String> packages =
        CLASSES.stream().map(JavaClass::getPackageName).collect(Collectors.toSet());
    Set<String> unseen = new TreeSet<>();
    for (Path module : modules()) {
      Path sources = module.resolve("src/main/java");
      try (var files = Files.walk(sources)) {
        files
            .filter(file -> file.toString().endsWith(".java"))
            .filter(file -> !file.toString().endsWith("-info.java"))
            .map(file -> sources.relativize(file.getParent()).toString().replaceAll("[/\\\\]", "."))
            .filter(name -> !packages.contains(name))
            .forEach(unseen::add);
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }
    assertEquals(Set.of(), unseen, "packages whose classes the rules below would not see");
  }

  @Test
  void engineCoreDependsOnTheJdkAlone() {
    check(
        classes()
            .that()
            .resideInAPackage(ENGINE)
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(ENGINE, "java..", "jdk.internal.vm.annotation.."));
  }

  @Test
  void kernelsSeeOnlyTheEngine() {
    forbid(KERNELS, SPARSE, KV_CACHE, LLM, CHAT, CLI);
  }

  @Test
  void cpuAndOpenClKernelsAreIndependent() {
    forbid("io.attention4j.kernels.cpu..", "io.attention4j.kernels.opencl..");
    forbid("io.attention4j.kernels.opencl..", "io.attention4j.kernels.cpu..");
  }

  @Test
  void sparseAttentionAndKvCacheKnowNoModelAndNoMachine() {
    forbid(SPARSE, KERNELS, LLM, CHAT, CLI);
    forbid(KV_CACHE, KERNELS, LLM, CHAT, CLI);
  }

  @Test
  void llmNamesNoKernel() {
    forbid(LLM, KERNELS, CHAT, CLI);
  }

  @Test
  void chatDependsOnLlmAndNotOnTheOutside() {
    forbid(CHAT, KERNELS, CLI);
  }

  @Test
  void onlySimdImportsTheIncubatorModule() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage("io.attention4j.kernels.cpu.simd..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("jdk.incubator.."));
  }

  private static void forbid(String from, String... to) {
    check(
        noClasses()
            .that()
            .resideInAPackage(from)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(to));
  }

  private static void check(ArchRule rule) {
    rule.allowEmptyShould(true).check(CLASSES);
  }

  /** The folders of the reactor modules with main sources, but not benchmarks, built after us. */
  private static List<Path> modules() {
    try (var folders = Files.list(ROOT)) {
      return folders
          .filter(folder -> Files.isDirectory(folder.resolve("src/main/java")))
          .filter(folder -> !folder.endsWith("benchmarks"))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
