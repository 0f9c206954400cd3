// Made by `sealane ci generate teamcity`: change [tool.sealane.ci], not this file. `sealane ci check` finds drift.
import jetbrains.buildServer.configs.kotlin.*
import jetbrains.buildServer.configs.kotlin.buildSteps.script
import jetbrains.buildServer.configs.kotlin.triggers.*

version = "2024.12"

project {
    buildType(Pipeline)
}

object Pipeline : BuildType({
    name = "Pipeline"
    artifactRules = "out => report"
    vcs { root(DslContext.settingsRoot) }
    steps {
        script { scriptContent = "./ci/sealane ci run" }
    }
    triggers {
        vcs { branchFilter = "+:main\n+:develop\n+:pull/*" }
        schedule { schedulingPolicy = cron { minutes = "0"; hours = "2"; dayOfMonth = "*"; month = "*"; dayOfWeek = "?" }; triggerBuild = always() }
    }
    failureConditions { executionTimeoutMin = 60 }
})
