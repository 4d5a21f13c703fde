"""Three deals as a list view of Pipedrive's in English, and the stages and users that stand beside them."""

LIST = """\
Deal - ID,Deal - Title,Deal - Status,Deal - Value,Deal - Pipeline,Deal - Stage,Deal - Owner,Deal - Deal created,Deal - Last stage change,Deal - Expected close date,Deal - Won time
1,Alpha,Won,300,Sales,Offer,Ben Borg,2026-01-05 10:00:00,2026-04-01 10:00:00,2026-05-31,2026-04-02 12:00:00
2,Beta,Open,50,Sales,Contact,Ada Ahrens,2026-01-06 10:00:00,2026-01-06 10:00:00,2026-05-31,
3,Gamma,Open,70,Sales,Offer,Ada Ahrens,2026-01-07 10:00:00,2026-05-01 10:00:00,2026-05-31,
"""
STAGES = """\
id,order_nr,name,deal_probability,pipeline_id,pipeline_name,active_flag
7,1,Contact,10,1,Sales,true
8,2,Offer,60,1,Sales,true
9,1,Offer,50,2,Partners,true
"""
USERS = "id,name,email,active_flag,default_currency,timezone_name\n11,Ada Ahrens,a@example.org,true,EUR,Europe/Berlin\n12,Ben Borg,b@example.org,false,EUR,Europe/Berlin\n"
